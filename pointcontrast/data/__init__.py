"""From a pair of views to a batch.

Read in this order: ``source`` (makes the data where there are none), ``pair_readers`` (two
registered views), ``augment`` and ``augment_colors``, ``network_input`` (a view to voxels and
features), ``correspondences``, ``pair_cropping`` and ``pair_dataset`` (all of that for one pair),
``collate`` (a batch of pairs), ``stream`` (the order of the pairs), ``worker_processes`` and
``loading`` (data loaders), ``streamed_data`` and ``module`` (the data module).
"""
