"""SUN RGB-D: the official release, and the folder that VoteNet's MATLAB step leaves of it.

Song et al., SUN RGB-D: A RGB-D Scene Understanding Benchmark Suite, CVPR 2015. ``layout.py`` finds
what the release holds, ``mat_files.py`` reads its ``.mat`` files, ``depth.py`` turns depth into
points, ``annotations.py`` records into boxes, ``images.py`` all of it into labelled scenes;
``matlab_folder.py`` reads the other form; ``synthetic.py`` writes a release of generated rooms.
"""
