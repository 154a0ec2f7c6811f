/* One line an event, to stderr, in one write. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"

#define LOG_LINE	2048

static const char	*log_ident = "kennel";
static enum log_level	 log_max = LOG_LEVEL_INFO;

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

static void
log_write(enum log_level level, int err, const char *fmt, va_list ap)
{
	char		 line[LOG_LINE], when[32];
	struct timespec	 t;
	struct tm	 tm;
	size_t		 n;
	int		 keep = errno;
	ssize_t		 w;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = (size_t)snprintf(line, sizeof(line) - 1, "%s.%03ldZ %s %s[%ld] ",
	    when, t.tv_nsec / 1000000, log_names[level], log_ident,
	    (long)getpid());
	vsnprintf(line + n, sizeof(line) - 1 - n, fmt, ap);
	n += strlen(line + n);
	if (err != 0)
		snprintf(line + n, sizeof(line) - 1 - n, ": %s", strerror(err));
	n += strlen(line + n);
	line[n++] = '\n';
	w = write(STDERR_FILENO, line, n);
	(void)w;		/* there is nobody left to tell */
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
