// Package schedules owns the tasks of servers: what is done by itself at certain times, step by step, and the runs.
//
// The database is the clock that instances share: a task that is due is claimed by writing its run, which is unique for
// each due time, together with the time after it. So each due time is run once, whatever the number of instances and
// whatever crashes. A run that is late by more than ten minutes, since no panel was there, is skipped and says so; one
// that would begin while the one before goes on is skipped, too. A run whose instance died ends as failed when its lease
// is over.
//
// Tasks need task.*, on their server. A task acts in the name of its author, who is whoever saved it last: the right to
// each step is checked when it is saved, and again by the service that carries it out. An author who is gone or
// suspended disables the task.
package schedules
