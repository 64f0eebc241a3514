// Package placeholder puts values in the place of {{KEY}}, so that no value ever becomes code.
//
// A placeholder names a variable of the server's environment. Those that other panels know ({{env.KEY}},
// {{server.build.default.port}}, …) are read as the variable that holds the same; Name is the whole list, and what is
// not on it becomes empty: no template can reach anything else.
package placeholder
