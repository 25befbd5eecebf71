"""Folders of images to shards, once: what `from_webdataset` reads faster."""
