"""From a pile of unlabelled images and a hundred labels to a trusted classifier, with the proof."""
