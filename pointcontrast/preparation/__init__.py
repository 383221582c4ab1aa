"""From raw data to prepared folders, and the checks of what was written.

For pretraining: ``prepare_scene`` makes one scene, ``prepare`` all of them on ``cluster``, and
``verify`` looks at every byte. For finetuning: ``scene_conversion`` is what every converter in
``datasets/`` does around its own reader.
"""
