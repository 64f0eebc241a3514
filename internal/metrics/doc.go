// Package metrics owns what servers and nodes use: the latest samples, and their live streams.
//
// A live stream has one flow from the node per panel instance however many people watch, on whichever instance they are;
// it starts with the first watcher, ends with the last, and goes on by itself when the node comes back. Transports call
// Latest, which shows what the viewer may see, and FollowServer and FollowNode, which need server.read and node.read.
package metrics
