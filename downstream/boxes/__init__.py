"""Boxes that stand upright, without any network.

``geometry`` has their corners, the points inside, overlaps and suppression; ``votes`` the boxes
that each point votes for; ``statistics`` their mean sizes by class.
"""
