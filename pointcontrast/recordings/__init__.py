"""Raw recordings, read as posed frames and sweeps.

Read in this order: ``sequence`` (the interface of every layout), ``layouts`` (the layout of a
folder), then ``rgbd`` (depth images with poses), ``lidar`` (sweeps with poses), ``reconstruction``
(meshes and point clouds, in which cameras are simulated). ``point_files`` reads point clouds and
meshes, ``pose_file`` poses.
"""
