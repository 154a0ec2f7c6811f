/* The applications that a worker says it has. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "gatewayd/repertoire.h"
#include "proto/limits.h"

#define REPERTOIRE_MS	5000

/* What the child does: only its output is heard. */
static void
repertoire_run(const char *worker, int out)
{
	int	 null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 || dup2(null, STDERR_FILENO) == -1)
		_exit(127);
	setpgid(0, 0);
	execl(worker, worker, "--apps", (char *)NULL);
	_exit(127);
}

/* Read to the end: the length, or -1 when it is too much or takes too long. */
static ssize_t
repertoire_read(int fd, char *text, size_t size)
{
	uint64_t	 now, deadline = clock_ms() + REPERTOIRE_MS;
	struct pollfd	 p = { .fd = fd, .events = POLLIN };
	size_t		 len = 0;
	ssize_t		 n;

	while (len < size && (now = clock_ms()) < deadline) {
		if (poll(&p, 1, (int)(deadline - now)) <= 0)
			continue;
		if ((n = read(fd, text + len, size - len)) == 0)
			return ((ssize_t)len);
		if (n == -1 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	return (-1);
}

/* Lines that are names of applications, and nothing else, to a list with blanks. */
static int
repertoire_names(char *text, size_t len)
{
	size_t	 n = 0;

	if (len == 0 || text[len - 1] != '\n' || memchr(text, '\0', len) != NULL)
		return (-1);
	text[len - 1] = '\0';
	for (size_t i = 0; i < len - 1; i++) {
		if (text[i] == '\n') {
			text[i] = ' ';
			n = 0;
		} else if (text[i] <= ' ' || ++n > APP_MAX)
			return (-1);
	}
	return (0);
}

int
repertoire_ask(struct repertoire *r, const char *worker)
{
	int	 out[2], status;
	ssize_t	 len;
	pid_t	 pid;

	if (pipe2(out, O_CLOEXEC) == -1)
		return (-1);
	if ((pid = fork()) == 0)
		repertoire_run(worker, out[1]);
	close(out[1]);
	len = pid == -1 ? -1 : repertoire_read(out[0], r->text,
	    sizeof(r->text));
	close(out[0]);
	if (pid == -1)
		return (-1);
	if (len == -1)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (len == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return (-1);
	return (repertoire_names(r->text, (size_t)len));
}

int
repertoire_has(const struct repertoire *r, const char *app)
{
	size_t		 n = strlen(app);
	const char	*p = r->text;

	while (*p != '\0') {
		if (strcspn(p, " ") == n && memcmp(p, app, n) == 0)
			return (1);
		p += strcspn(p, " ");
		p += *p == ' ';
	}
	return (0);
}
