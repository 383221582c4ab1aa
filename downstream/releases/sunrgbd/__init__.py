"""SUN RGB-D: the official release, and the output folder of VoteNet's MATLAB script.

Song et al., SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite, CVPR 2015.

Read in this order: ``classes`` (VoteNet's ten), ``raw_images`` (an image before conversion),
``layout`` (images of the release) and ``mat_files`` (its ``.mat`` files), ``matlab_folder`` (images
of VoteNet's folder), ``depth`` (depth to points), ``annotations`` (records to boxes), ``images``
(images to labelled scenes).
"""
