"""Backbone files, and conversion of weights from and to other programs.

``backbone_file`` reads and writes backbone files (``backbone_header``, ``safetensors_file``) with
their ``model_card``; ``pretrained`` loads them by path or address with ``download``. For other
programs, ``torch_file`` and ``inert_pickle`` read a ``.pth`` file without running it, ``program``
and ``architecture`` identify its network, and ``foreign`` converts names and layout with
``kernel_order`` and ``spconv_layout``. ``export`` writes such files, and ``convert`` does both.
"""
