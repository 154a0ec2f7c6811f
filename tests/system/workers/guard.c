/*
 * guard: a worker for the tests that has files of its own, open before the
 * library begins, and looks at what it may not.  A text message is a command:
 *
 *	audit TEXT		a line to the file named by GUARD_AUDIT
 *	close CODE HEX		kennel_close with that reason; its errno, if refused
 *	pry PID			what it may see and do of another process
 *	env NAME		of its own environment
 *
 * GET .../header?name=N&value=V answers with kennel_header's errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kennel.h>

static int	 audit[3] = { -1, -1, -1 };

static void
say(struct kennel_socket *s, const char *text)
{
	kennel_send(s, text, strlen(text), 0);
}

static void
receive(struct kennel_request *q)
{
	const char	*name, *value;
	char		 text[32];
	int		 n;

	if (kennel_request_upgrades(q)) {
		kennel_connect(q);
		return;
	}
	name = kennel_request_query(q, "name", NULL);
	value = kennel_request_query(q, "value", NULL);
	errno = 0;
	if (name != NULL && value != NULL)
		(void)kennel_header(q, name, value);
	n = snprintf(text, sizeof(text), "%d", errno);
	kennel_respond(q, 200, "text/plain", text, (size_t)n);
}

/* The names of what works, behind each other. */
static void
pry(struct kennel_socket *s, int pid)
{
	static const struct { const char *name; int flags; } files[] = {
		{ "mem", O_RDWR }, { "mem", O_RDONLY },
		{ "environ", O_RDONLY }, { "maps", O_RDONLY },
		{ "auxv", O_RDONLY },
	};
	char	 path[64], text[256] = "", byte[64];
	int	 fd;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid,
		    files[i].name);
		if ((fd = open(path, files[i].flags | O_CLOEXEC)) == -1)
			continue;
		/* Some are opened by anybody, and then have nothing. */
		if (strcmp(files[i].name, "mem") == 0 ||
		    read(fd, byte, sizeof(byte)) > 0) {
			strcat(text, files[i].name);
			strcat(text, " ");
		}
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/0", pid);
	if (readlink(path, byte, sizeof(byte)) != -1)
		strcat(text, "fd ");
	if (kill(pid, 0) == 0)
		strcat(text, "kill ");
	say(s, text);
}

static void
close_as_told(struct kennel_socket *s, const char *arg)
{
	char		 reason[512], text[32];
	unsigned	 byte;
	size_t		 n = 0;
	int		 code = atoi(arg);
	const char	*hex = strchr(arg, ' ');

	for (hex = hex == NULL ? "" : hex + 1; sscanf(hex, "%2x", &byte) == 1 &&
	    n < sizeof(reason) - 1; hex += 2)
		reason[n++] = (char)byte;
	reason[n] = '\0';
	if (kennel_close(s, code, reason) == -1) {
		snprintf(text, sizeof(text), "%d", errno);
		say(s, text);
	}
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	char	 line[1024], *arg;

	if (m->len >= sizeof(line))
		return;
	memcpy(line, m->data, m->len);
	line[m->len] = '\0';
	if ((arg = strchr(line, ' ')) == NULL)
		return;
	*arg++ = '\0';
	if (strcmp(line, "audit") == 0) {
		strcat(arg, "\n");
		for (size_t i = 0; i < sizeof(audit) / sizeof(audit[0]); i++)
			if (write(audit[i], arg, strlen(arg)) == -1)
				say(s, strerror(errno));
		say(s, "ok");
	} else if (strcmp(line, "close") == 0)
		close_as_told(s, arg);
	else if (strcmp(line, "pry") == 0)
		pry(s, atoi(arg));
	else if (strcmp(line, "env") == 0)
		say(s, getenv(arg) == NULL ? "(none)" : getenv(arg));
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive, .onmessage = onmessage,
	};
	const char	*path = getenv("GUARD_AUDIT");

	for (size_t i = 0; path != NULL && i < sizeof(audit) /
	    sizeof(audit[0]); i++)
		audit[i] = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	return (kennel_worker_main(argc, argv, &app, 1));
}
