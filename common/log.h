/*
 * One line an event, to stderr: time, level, process, id, then key=value.
 *
 *	2026-11-21T05:19:16.123Z info gatewayd[812] shard slot=3 state=ready
 *
 * Never waits: lines for which there is no room, because nobody reads stderr, are
 * dropped and counted, and how many were is the first line when there is room again.
 *
 * errno is kept across every call.  Peer bytes go through log_escape().
 * Not for use in signal handlers.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stddef.h>

#include "common/log_line.h"


/* ident is borrowed for ever: "gatewayd", "shardd/3". */
void	 log_init(const char *ident, enum log_level level);
/* "warn", "info", "debug" -> level.  0, or -1 with errno EINVAL. */
int	 log_level_parse(const char *name, enum log_level *level);
enum log_level log_level_get(void);
void	 log_level_set(enum log_level level);
const char *log_level_name(enum log_level level);

/* "text", "json", "journald" -> format.  0, or -1 with errno EINVAL. */
int	 log_format_parse(const char *name, enum log_format *format);
const char *log_format_name(enum log_format format);
void	 log_format_set(enum log_format format);

/* Say how many lines were dropped, if some were and there is room: for a timer of
 * a process that may have nothing else to say. */
void	 log_catch_up(void);

/* warn: somebody should act.  info: life of a process or peer, no client
 * data.  debug: life of a connection. */
void	 log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Log at warn and exit(1): for startup, and for what cannot happen.  fatal
 * appends strerror(errno), fatalx does not. */
void	 fatal(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));
void	 fatalx(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));

/*
 * Bytes from outside as printable ASCII: \xHH for the rest, backslash and
 * quote escaped, cut with "..." to fit dst of size bytes (at least 8).
 * Returns dst, always terminated.
 */
char	*log_escape(char *dst, size_t size, const void *src, size_t len);

#endif
