"""From a pair of views to a batch.

Read in this order: ``pair_readers`` (two registered views), ``augment`` and ``network_input``
(views to voxels and features), ``correspondences``, ``pair_dataset`` (all of that for one pair),
``collate`` (a batch of pairs), ``stream`` (which pair comes when), ``module`` (the data module).
``source`` is what makes the data where they are not there.
"""
