"""Finetuning a pretrained backbone on benchmarks, and measuring what comes of it.

Read in this order: ``releases`` (raw data to labelled scenes and shapes), ``benchmarks`` (which
clouds, which classes, which metric), ``types``, ``augmentation``, ``samples`` (clouds to voxels),
``data`` (batches), ``initialization`` and ``network`` (backbone and head), ``finetune``, and then
``evaluate`` with ``metrics``.
"""
