// Real pictures for uploads: PNGs of one colour with a lighter band, so that they are seen on the page.

import { deflateSync } from "node:zlib";

const TABLE = Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function chunk(name, body) {
  const whole = Buffer.concat([Buffer.from(name), body]);
  const frame = Buffer.alloc(8 + whole.length);
  frame.writeUInt32BE(body.length, 0);
  whole.copy(frame, 4);
  frame.writeUInt32BE(crc(whole), 4 + whole.length);
  return frame;
}

/** A PNG file as Playwright takes it: `{name, mimeType, buffer}`. */
export function pngFile(width, height, [red, green, blue] = [43, 84, 180]) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const light = Math.abs(y - height / 2 - (height / 4) * Math.sin((x / width) * 6.3)) < height / 24 ? 110 : 0;
      const at = y * (1 + width * 3) + 1 + x * 3;
      rows.set([Math.min(255, red + light), Math.min(255, green + light), Math.min(255, blue + light)], at);
    }
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const buffer = Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
  return { name: "picture.png", mimeType: "image/png", buffer };
}
