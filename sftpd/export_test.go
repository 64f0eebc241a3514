package sftpd

// ParseLogin is parseLogin.
var ParseLogin = parseLogin
