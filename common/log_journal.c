/* The journal of systemd, by its native protocol. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log_journal.h"

#define JOURNAL_ENTRY	8192
#define JOURNAL_FIELDS	32
#define JOURNAL_NAME	64	/* journald drops a field of a longer name */
#define JOURNAL_PREFIX	"KENNEL_"

int
log_journal_is_stderr(void)
{
	const char	*stream = getenv("JOURNAL_STREAM");
	struct stat	 st;
	char		 own[64];

	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return (0);
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return (strcmp(own, stream) == 0);
}

int
log_journal_open(const char *path)
{
	struct sockaddr_un	 to = { .sun_family = AF_UNIX };
	int			 fd, keep;

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return (-1);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		keep = errno;
		close(fd);
		errno = keep;
		return (-1);
	}
	return (fd);
}

/* KENNEL_<KEY>=value behind the n bytes of entry: its new length, the same where it has
 * no room. */
static size_t
journal_field(char *entry, size_t n, const struct log_pair *p)
{
	const size_t	 prefix = strlen(JOURNAL_PREFIX);

	if (prefix + p->key_len > JOURNAL_NAME ||
	    JOURNAL_ENTRY - n < prefix + p->key_len + p->value_len + 2)
		return (n);
	memcpy(entry + n, JOURNAL_PREFIX, prefix);
	n += prefix;
	for (size_t i = 0; i < p->key_len; i++) {
		char	 c = p->key[i];

		entry[n++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	entry[n++] = '=';
	memcpy(entry + n, p->value, p->value_len);
	n += p->value_len;
	entry[n++] = '\n';
	return (n);
}

int
log_journal_send(int fd, const struct log_event *e)
{
	const char	*rest = e->message;
	struct log_pair	 p;
	char		 entry[JOURNAL_ENTRY];
	size_t		 n;
	ssize_t		 sent;

	n = (size_t)snprintf(entry, JOURNAL_ENTRY / 2, "PRIORITY=%c\n"
	    "SYSLOG_IDENTIFIER=%.64s\nSYSLOG_PID=%ld\nMESSAGE=",
	    log_line_priority(e->level), e->ident, e->pid);
	n += (size_t)snprintf(entry + n, JOURNAL_ENTRY / 2 + 1, "%.*s\n",
	    JOURNAL_ENTRY / 2 - 1, e->message);
	for (int i = 0; i < JOURNAL_FIELDS && log_line_pair(&rest, &p); i++)
		n = journal_field(entry, n, &p);
	do
		sent = send(fd, entry, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return (sent == -1 ? -1 : 0);
}
