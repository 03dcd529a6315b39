from tests.airfare.conftest import caller, cleaned_at_once, curator, folder, load_folder

__all__ = ["caller", "cleaned_at_once", "curator", "folder", "load_folder"]
