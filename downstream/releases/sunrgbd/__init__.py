"""SUN RGB-D: the official release, and the output of VoteNet's MATLAB and Python scripts.

Song et al., SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite, CVPR 2015.

Read in this order: ``classes`` (VoteNet's ten), ``raw_images`` (an image before conversion),
``layout`` (images of the release) and ``mat_files`` (its ``.mat`` files), ``matlab_folder`` (images
of VoteNet's MATLAB folder) and ``votenet_folder`` (its prepared arrays), ``depth`` (depth to
points) and ``colored_points`` (points of VoteNet's files), ``annotations`` (records to boxes),
``images`` (images to labelled scenes).
"""
