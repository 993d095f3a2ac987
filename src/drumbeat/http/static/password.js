// The letter's link holds the code behind its #, which browsers send to no server: put it into the form, and forget it.
const code = location.hash.slice(1);
if (code) {
  document.getElementById("code").value = code;
  history.replaceState(null, "", location.pathname);
  document.getElementById("password").focus();
}
