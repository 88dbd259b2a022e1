// Pictures, sound and documents in base64: a mark with their kind and size, as the console tools show it.

const MIN_MEDIUM = 100;
const MEDIUM_KINDS = {
  iVBORw0KGg: "image/png", "/9j/": "image/jpeg", R0lGOD: "image/gif", SUkqA: "image/tiff", TU0AK: "image/tiff",
  JVBERi0: "application/pdf", SUQz: "audio/mpeg", T2dnU: "audio/ogg", ZkxhQ: "audio/flac", GkXfo: "video/webm",
  UEsDB: "application/zip", H4sI: "application/gzip",
};
const RIFF = { WEBP: "image/webp", WAVE: "audio/wav", "AVI ": "video/avi" };
const BASE64 = String.raw`[A-Za-z0-9+/_\-]*(?:\r?\n[A-Za-z0-9+/_\-]{40,})*=*`;
const STARTS = [...Object.keys(MEDIUM_KINDS), "UklGR", "AAAA[A-Za-z]GZ0eXB"].join("|");
const MEDIUM = new RegExp(
  String.raw`data:([\w.+-]{1,40}/[\w.+-]{1,60})?(?:;[\w.-]+=[\w."-]+){0,4};base64,(${BASE64})|(?<![A-Za-z0-9+/_-])((?:${STARTS})${BASE64})`, "g");
const KIND_MEMBERS = ["mimeType", "mediaType", "media_type", "mime_type", "mimetype", "content_type", "contentType"];
const MIME = /^(?:image|audio|video|application|font|model)\/[\w.+-]{1,60}$/;
const ONLY_BASE64 = /^[A-Za-z0-9+/_\-\r\n]+={0,2}\s*$/;

/** A value with a mark in place of each medium; the value itself stays as it is. */
function withMarks(value, said = "") {
  if (typeof value === "string") return markedText(value, said);
  if (Array.isArray(value)) return value.map((each) => withMarks(each));
  if (!isObject(value)) return value;
  const kind = KIND_MEMBERS.map((name) => value[name]).find((each) => typeof each === "string" && MIME.test(each)) ?? "";
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withMarks(each, kind)]));
}

function markedText(text, said) {
  if (text.length < MIN_MEDIUM) return text;
  if (said && ONLY_BASE64.test(text)) return mediumMark(said, text);
  return text.replace(MEDIUM, (whole, mime, inUrl, alone) => {
    const packed = inUrl ?? alone;
    if (packed.length < MIN_MEDIUM) return whole;
    return mediumMark(inUrl === undefined ? kindOfStart(packed) : mime ?? "data", packed);
  });
}

function kindOfStart(packed) {
  const start = Object.keys(MEDIUM_KINDS).find((each) => packed.startsWith(each));
  if (start) return MEDIUM_KINDS[start];
  if (!packed.startsWith("UklGR")) return "video/mp4";
  return RIFF[atob(packed.slice(0, 16)).slice(8)] ?? "data";
}

function mediumMark(kind, packed) {
  return `[${kind}, ${grouped(Math.floor((packed.replace(/[=\s]/g, "").length * 3) / 4))} bytes]`;
}
