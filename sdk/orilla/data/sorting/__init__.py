"""Pictures into class folders, by a table or by a model."""
