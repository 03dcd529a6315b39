from tests.airfare.conftest import curator, folder, load_folder

__all__ = ["curator", "folder", "load_folder"]
