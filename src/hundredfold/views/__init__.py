"""Views: random changes of an image that keep what it shows. Each draws its numbers, then applies them."""
