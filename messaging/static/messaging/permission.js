// Lets somebody allow notifications in this browser: it is asked by their click alone, never by opening a page.

const place = document.querySelector("[data-permission]");

const WORDS = {
  granted: "This browser shows notifications while one of our pages is open.",
  denied: "This browser was told to show none; its settings for this site can change that.",
  default: "",
};

function show(permission) {
  place.querySelector("[data-ask-permission]").hidden = permission !== "default";
  place.querySelector("[data-permission-state]").textContent = WORDS[permission];
}

if (place && "Notification" in window) {
  place.hidden = false;
  show(Notification.permission);
  place.querySelector("[data-ask-permission]").addEventListener("click", async () => {
    show(await Notification.requestPermission());
  });
}
