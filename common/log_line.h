/* A line of the log, as the format has it. */
#ifndef COMMON_LOG_LINE_H
#define COMMON_LOG_LINE_H

#include <stddef.h>
#include <time.h>

enum log_level { LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
/* text: time, level, process, words.  json: an object a line, its key=value pairs in "fields".
 * journald: the priority as "<4>", no time, which the journal has itself; that is for
 * where common/log_journal does not reach it. */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNALD };

struct log_event {
	enum log_format	 format;
	enum log_level	 level;
	const char	*ident;
	long		 pid;
	struct timespec	 when;
	const char	*message;	/* terminated, no line's end in it */
};

/* The priority of a level, as syslog(3) numbers them: '4' for warn. */
char	 log_line_priority(enum log_level);

/* A word key=value or key="value" of a message; the quotes are not in value, what
 * is escaped there stays so. */
struct log_pair {
	const char	*key, *value;
	size_t		 key_len, value_len;
};

/* The next pair of a message from *s on, which is moved behind it: 1, or 0 when there
 * is none. */
int	 log_line_pair(const char **s, struct log_pair *);

/* The line with its end, cut to fit size bytes (at least 512): its length. */
size_t	 log_line_write(char *line, size_t size, const struct log_event *e);

#endif
