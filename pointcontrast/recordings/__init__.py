"""What people bring: recordings in the layouts of their recorders, read as posed frames.

Read in this order: ``sequence`` (what every layout offers), ``layouts`` (which layout a folder
has), then ``rgbd`` (depth images with poses), ``lidar`` (sweeps with poses), ``reconstruction``
(meshes and clouds, in which cameras are simulated).
"""
