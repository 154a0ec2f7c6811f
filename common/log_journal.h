/*
 * The journal of systemd, spoken to as it wants it: an entry with fields, so that
 * "journalctl KENNEL_SLOT=3" finds what a search in lines would not.
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL
 */
#ifndef COMMON_LOG_JOURNAL_H
#define COMMON_LOG_JOURNAL_H

#include "common/log_line.h"

/* Where journald listens. */
#define LOG_JOURNAL_PATH	"/run/systemd/journal/socket"

/* Is stderr the journal's?  systemd says so in $JOURNAL_STREAM (systemd.exec(5)):
 * to write there by another way is no surprise then. */
int	 log_journal_is_stderr(void);

/*
 * A socket, for log_journal_send(), connected to what listens at path.  -1 with errno
 * where nobody does.  Close-on-exec; it never blocks.
 */
int	 log_journal_open(const char *path);

/*
 * One entry: PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_PID, MESSAGE, and KENNEL_<KEY> for
 * each key=value of the message.  0, or -1 with errno: EAGAIN when the journal is slow.
 */
int	 log_journal_send(int fd, const struct log_event *e);

#endif
