// The embedded pictures: read a clip's when it is looked at, as blobs that the browser decodes once.
const GALLERIES = DATA.viewer;
const galleryUrls = new Map(); // gallery index -> Map(key -> url); the two latest galleries are kept

function urlsOf(index) {
  if (!galleryUrls.has(index)) {
    const encoded = JSON.parse($(`pictures-${index}`).textContent);
    galleryUrls.set(index, new Map(Object.entries(encoded).map(([key, text]) => [key, blobUrl(text)])));
    for (const [old, urls] of galleryUrls) {
      if (galleryUrls.size <= 2) break;
      for (const url of urls.values()) URL.revokeObjectURL(url);
      galleryUrls.delete(old);
    }
  }
  return galleryUrls.get(index);
}

function blobUrl(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length);
  for (let k = 0; k < binary.length; k++) bytes[k] = binary.charCodeAt(k);
  return URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
}

// Decoded ahead, so that flipping to a picture never shows a gap.
const ahead = new Map();
function preload(urls) {
  for (const url of urls) if (url && !ahead.has(url)) {
    const image = new Image();
    image.src = url;
    image.decode().catch(() => {});
    ahead.set(url, image);
  }
  while (ahead.size > 60) ahead.delete(ahead.keys().next().value);
}
