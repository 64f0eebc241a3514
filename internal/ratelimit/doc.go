// Package ratelimit counts how often something happens per key and says when it was too often.
//
// It owns one idea: a sliding window per key, kept as two counters, so that a key costs the same few bytes whatever its
// limit is. Within any window at most the limit is allowed when the calls come evenly, and never more than the limit
// in one fixed window. Memory is bounded: when the table is full, the key that was quiet for longest is forgotten.
// A refused call does not count, so a client that keeps knocking is let in again as soon as its window has moved on.
//
// Limiters are in memory and per process: with several panel instances a client has its limit at each of them.
// Any package may use it. It publishes no events and returns no faults; callers decide what a refusal means.
package ratelimit
