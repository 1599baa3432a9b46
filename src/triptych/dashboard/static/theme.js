// The theme that was chosen, before anything is drawn; without a choice that of the system.
(() => {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("triptych-theme"); } catch { return null; } };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => { if (window.Quasar) Quasar.Dark.set(isDark()); };
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  window.triptychTheme = () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("triptych-theme", root.dataset.theme); } catch { /* private window */ }
    tell();
  };
  system.addEventListener("change", tell);
  window.addEventListener("load", () => setTimeout(tell, 0));
})();
