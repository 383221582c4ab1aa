"""Weights of other programs, and how backbones travel: ``checkpoint.py`` is the door to both.

In: ``torch_file`` and ``inert_pickle`` read a ``.pth`` without running it, ``program`` and
``architecture`` tell what it holds, ``foreign`` brings it to our names with ``kernel_order`` and
``spconv_layout``. Out: ``export`` and ``model_card``. ``convert`` does the one and then the other.
"""
