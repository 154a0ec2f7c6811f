/*
 * One line an event, to stderr, in one write, which never waits; or one entry, to the
 * journal of systemd, where stderr is that one's and the format says so.
 *
 * Whoever started us may read stderr by the same file description (a terminal,
 * a pipe of a shell), and shards write to it: to set O_NONBLOCK there would
 * change it for all.  RWF_NOWAIT asks for one write only; where the kernel has
 * not got it for this kind of file, stderr is opened once more through /proc, and
 * where that is forbidden, it is asked whether there is room.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "common/log_journal.h"
#include "common/log_line.h"

#define LOG_LINE	2048
#define LOG_LINE_MAX	(2 * LOG_LINE)	/* of JSON, which PIPE_BUF allows */

static const char	*log_ident = "kennel";
static enum log_level	 log_max = LOG_LEVEL_INFO;
static enum log_format	 log_form = LOG_FORMAT_TEXT;
static unsigned long	 log_dropped;	/* lines, since it was said */
static int		 log_cut;	/* the last line has no end */
static int		 log_again = -1;	/* stderr, opened once more */
static int		 log_journal = -1;	/* a socket to it */

static const char *const log_names[] = {
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void
log_init(const char *ident, enum log_level level)
{
	log_ident = ident;
	log_max = level;
}

int
log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < nitems(log_names); i++)
		if (strcmp(log_names[i], name) == 0) {
			*level = (enum log_level)i;
			return (0);
		}
	errno = EINVAL;
	return (-1);
}

enum log_level
log_level_get(void)
{
	return (log_max);
}

void
log_level_set(enum log_level level)
{
	log_max = level;
}

const char *
log_level_name(enum log_level level)
{
	return (log_names[level]);
}

static const char *const log_formats[] = {
	[LOG_FORMAT_TEXT] = "text",
	[LOG_FORMAT_JSON] = "json",
	[LOG_FORMAT_JOURNALD] = "journald",
};

int
log_format_parse(const char *name, enum log_format *format)
{
	for (size_t i = 0; i < nitems(log_formats); i++)
		if (strcmp(log_formats[i], name) == 0) {
			*format = (enum log_format)i;
			return (0);
		}
	errno = EINVAL;
	return (-1);
}

const char *
log_format_name(enum log_format format)
{
	return (log_formats[format]);
}

void
log_format_set(enum log_format format)
{
	log_form = format;
	if (log_journal != -1)
		close(log_journal);
	log_journal = -1;
	if (format == LOG_FORMAT_JOURNALD && log_journal_is_stderr())
		log_journal = log_journal_open(LOG_JOURNAL_PATH);
}

/* Is it fd that st tells of?  Somebody may have closed what we opened. */
static int
log_is(int fd, const struct stat *st)
{
	struct stat	 other;

	return (fd != -1 && fstat(fd, &other) == 0 &&
	    other.st_dev == st->st_dev && other.st_ino == st->st_ino);
}

/* A pipe or a terminal of which the kernel does not know RWF_NOWAIT. */
static ssize_t
log_put_again(const struct stat *st, const char *p, size_t n)
{
	struct pollfd	 room = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (!log_is(log_again, st))
		log_again = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK |
		    O_NOCTTY | O_CLOEXEC);
	if (log_again != -1)
		return (write(log_again, p, n));
	if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) == 0)
		room.revents = 0;
	if (room.revents == 0) {
		errno = EAGAIN;
		return (-1);
	}
	return (write(STDERR_FILENO, p, n));
}

/* What write(2) returns; EAGAIN where it would wait. */
static ssize_t
log_put_some(const char *p, size_t n)
{
	struct iovec	 iov = { (void *)(uintptr_t)p, n };
	struct stat	 st;
	ssize_t		 w;

	if (fstat(STDERR_FILENO, &st) == -1)
		return (-1);
	if (S_ISREG(st.st_mode))
		return (write(STDERR_FILENO, p, n));
	if (S_ISSOCK(st.st_mode))
		return (send(STDERR_FILENO, p, n, MSG_DONTWAIT |
		    MSG_NOSIGNAL));
	w = pwritev2(STDERR_FILENO, &iov, 1, -1, RWF_NOWAIT);
	if (w == -1 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
		w = log_put_again(&st, p, n);
	return (w);
}

/* A line, or nothing: 0, or -1 when there is no room. */
static int
log_put(const char *line, size_t n)
{
	ssize_t	 w;

	if (log_cut && log_put_some("\n", 1) != 1)
		return (-1);
	log_cut = 0;
	do
		w = log_put_some(line, n);
	while (w == -1 && errno == EINTR);
	log_cut = w > 0 && (size_t)w < n;
	return (w == -1 ? -1 : 0);
}

/* What is said, as the format has it: 0, or -1 with EAGAIN when there is no room. */
static int
log_say(enum log_level level, const char *message)
{
	struct log_event	 e = {
		.format = log_form, .level = level, .ident = log_ident,
		.pid = (long)getpid(), .message = message,
	};
	char			 line[LOG_LINE_MAX];
	size_t			 n;

	if (log_journal != -1) {
		if (log_journal_send(log_journal, &e) == 0)
			return (0);
		if (errno == EAGAIN)
			return (-1);
		close(log_journal);	/* gone: stderr, then */
		log_journal = -1;
	}
	clock_gettime(CLOCK_REALTIME, &e.when);
	n = log_line_write(line, log_form == LOG_FORMAT_JSON ? sizeof(line) :
	    LOG_LINE, &e);
	return (log_put(line, n));
}

void
log_catch_up(void)
{
	char	 text[160];
	int	 keep = errno;

	if (log_dropped == 0)
		return;
	snprintf(text, sizeof(text), "log dropped=%lu lines: nobody had read "
	    "stderr, and its pipe was full", log_dropped);
	if (log_say(LOG_LEVEL_WARN, text) == 0)
		log_dropped = 0;
	errno = keep;
}

static void
log_write(enum log_level level, int err, const char *fmt, va_list ap)
{
	char		 text[LOG_LINE];
	size_t		 n;
	int		 keep = errno;

	vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (err != 0)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(err));
	log_catch_up();
	/* The order of lines is theirs: none before what is missing is said. */
	if (log_dropped > 0 || (log_say(level, text) == -1 && errno == EAGAIN))
		log_dropped++;
	errno = keep;
}

#define LOG_BODY(level)							\
	va_list	 ap;							\
									\
	if (log_max < (level))						\
		return;							\
	va_start(ap, fmt);						\
	log_write((level), 0, fmt, ap);					\
	va_end(ap)

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_DEBUG);
}

void
fatal(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_WARN, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	log_write(LOG_LEVEL_WARN, 0, fmt, ap);
	va_end(ap);
	exit(1);
}

char *
log_escape(char *dst, size_t size, const void *src, size_t len)
{
	static const char	 hex[] = "0123456789abcdef";
	const unsigned char	*p = src;
	size_t			 n = 0;

	for (size_t i = 0; i < len; i++) {
		char	 esc[5] = { (char)p[i] };

		if (p[i] == '\\' || p[i] == '"')
			esc[0] = '\\', esc[1] = (char)p[i];
		else if (p[i] < 0x20 || p[i] > 0x7e)
			esc[0] = '\\', esc[1] = 'x', esc[2] = hex[p[i] >> 4],
			    esc[3] = hex[p[i] & 15];
		/* Room for this and for "..." and the end? */
		if (n + strlen(esc) + 4 > size &&
		    (i + 1 < len || n + strlen(esc) + 1 > size)) {
			memcpy(dst + n, "...", 3);
			n += 3;
			break;
		}
		memcpy(dst + n, esc, strlen(esc));
		n += strlen(esc);
	}
	dst[n] = '\0';
	return (dst);
}
