"""Run the example of README with whatever farcall is installed: ``readme_example.py README.md``."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

text = Path(sys.argv[1]).read_text("utf-8")
(code,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
with tempfile.TemporaryDirectory() as folder:
    script = Path(folder, "hello.py")
    script.write_text(code, "utf-8")
    subprocess.run([sys.executable, script], cwd=folder, check=True)
