// What map.js draws with: pens, dots, and the ground below the lines.
const BACKGROUND = "#10151c", CASING = "rgba(18,14,26,.75)", DIMMED = "rgba(16,21,28,.25)";
// By kind: a line goes on, a dead end, three or more roads meet, a dead end that almost meets a line.
const NODE_COLOURS = ["", "#ff5a3c", "#ffffff", "#ff5a3c"];

function pen(to, px, isDashed) {
  to.lineWidth = px;
  to.lineJoin = px > 3 ? "round" : "bevel";
  to.lineCap = isDashed ? "butt" : px > 3 ? "round" : "square";
  to.setLineDash(isDashed ? [3 * px, 2 * px] : []);
}

function dot(to, x, y, colour) {
  to.beginPath(); to.arc(x, y, 3.5, 0, 7);
  to.fillStyle = colour; to.fill();
  to.lineWidth = 1.2; to.strokeStyle = "#1e1428"; to.stroke();
}

function ring(to, x, y, colour, radius) {
  for (const [paint, px] of [[CASING, 5], [colour, 2.5]]) {
    to.beginPath(); to.arc(x, y, radius, 0, 7);
    to.lineWidth = px; to.strokeStyle = paint; to.stroke();
  }
}

function swatch(draw) {
  const made = document.createElement("canvas"), to = made.getContext("2d");
  made.width = 68; made.height = 28;
  to.scale(2, 2);
  to.fillStyle = BACKGROUND; to.fillRect(0, 0, 34, 14);
  draw(to);
  return made;
}

function lineSwatch(colour, isDashed) {
  return swatch((to) => {
    to.strokeStyle = colour; pen(to, 4, isDashed); to.lineCap = "butt";
    if (isDashed) to.setLineDash([7, 4]);
    to.beginPath(); to.moveTo(0, 7); to.lineTo(34, 7); to.stroke();
  });
}

// The picture laid over itself until it has been drawn so often, each time lighter in its shadows, and then dimmed:
// lines stand out from a darker ground.
function groundOf(picture, lift) {
  const made = document.createElement("canvas"), to = made.getContext("2d", { alpha: false });
  made.width = picture.naturalWidth; made.height = picture.naturalHeight;
  to.drawImage(picture, 0, 0);
  to.globalCompositeOperation = "screen";
  for (let i = 1; i < lift; i++) to.drawImage(picture, 0, 0);
  to.globalCompositeOperation = "source-over";
  to.fillStyle = DIMMED; to.fillRect(0, 0, made.width, made.height);
  return made;
}
