"""Methods: ways to learn an encoder, one a file, in the families of self-supervised learning."""
