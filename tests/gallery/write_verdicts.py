"""Write tests/gallery/verdicts.json anew; its diff is what a change did to the gallery."""

import json

from tests.gallery.templates import gallery
from tests.gallery.test_verdicts import GOLDEN, verdicts

if __name__ == "__main__":
    table = {name: verdicts(config) for name, config in gallery().items()}
    GOLDEN.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
