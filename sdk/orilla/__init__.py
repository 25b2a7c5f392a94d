"""Orilla: from a folder of pictures to a verified vision model on a phone, a board or a factory PC."""
