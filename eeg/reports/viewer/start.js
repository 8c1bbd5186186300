// Opens the viewer in a report.
"use strict";

{
  const root = document.getElementById("ox-view"), data = document.getElementById("ox-view-data");
  if (root && data) root.viewer = new Viewer(root, unpacked(JSON.parse(data.textContent)));
}
