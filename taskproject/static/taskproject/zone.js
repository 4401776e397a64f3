// Tells the server in which time zone this browser is: a cookie with the zone's name, written only when it changes.
// A page that the server has written in another zone by then is asked for once more.

const NAME = "time_zone";
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

function told() {
  return document.cookie.split("; ").find((cookie) => cookie.startsWith(`${NAME}=`))?.slice(NAME.length + 1);
}

if (/^[\w+/-]{1,60}$/.test(zone) && told() !== zone) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${NAME}=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  const page = document.querySelector("meta[name=time-zone]");
  // Without cookies it would never end.
  if (page?.dataset.follows !== undefined && page.content !== zone && told() === zone) location.reload();
}
