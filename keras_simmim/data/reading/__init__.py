"""Images whose shape is known and of which a part can be had: files' bytes or pixels."""
