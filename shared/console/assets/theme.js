// Before anything is painted: the colours the reader has chosen.
(() => {
  try {
    const theme = localStorage.getItem('theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch { /* Without storage, colours are as the system has them. */ }
})();
