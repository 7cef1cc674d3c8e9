/* SPDX-License-Identifier: MIT */
/* Runs before the first paint, so that a chosen theme does not flash. */
try {
  const theme = localStorage.getItem('flowrra.theme');
  if (theme === 'light' || theme === 'dark')
    document.documentElement.dataset.theme = theme;
} catch { /* storage may be forbidden: the system's theme holds */ }
