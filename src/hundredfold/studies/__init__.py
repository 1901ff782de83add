"""Studies: whole experiments made of the layers below. `few_labels` is the main job."""
