/*
 * files: a worker for the tests that answers with files.  GET /g/file?path=P, and
 * perhaps &off=N, &len=N, &status=N, &type=T, &etag=E, &date=D; /g/dir and /g/pipe
 * answer with what is no file, /g/shrink with one that becomes empty once its head is
 * sent, /g/memory with "in memory" and the tag "m".
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kennel.h>

static uint64_t
number(struct kennel_request *q, const char *key, uint64_t otherwise)
{
	const char	*s = kennel_request_query(q, key, NULL);

	return (s == NULL ? otherwise : strtoull(s, NULL, 10));
}

static void
header(struct kennel_request *q, const char *key, const char *name)
{
	const char	*s = kennel_request_query(q, key, NULL);

	if (s != NULL)
		kennel_header(q, name, s);
}

static struct kennel_timer	*timer;

static void
shrink(void *arg)
{
	int	*fd = arg;

	if (ftruncate(*fd, 0) == 0)
		close(*fd);
	free(fd);
	kennel_timer_free(timer);
}

static void
receive(struct kennel_request *q)
{
	const char	*how = strrchr(kennel_request_path(q), '/') + 1;
	const char	*path = kennel_request_query(q, "path", NULL);
	int		 fd, pipes[2], *kept;

	if (strcmp(how, "file") == 0 && path != NULL) {
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
			kennel_respond(q, 404, NULL, NULL, 0);
			return;
		}
		header(q, "etag", "ETag");
		header(q, "date", "Last-Modified");
		kennel_respond_fd(q, (int)number(q, "status", 200),
		    kennel_request_query(q, "type", NULL), fd,
		    number(q, "off", 0), number(q, "len", UINT64_MAX));
		close(fd);
	} else if (strcmp(how, "dir") == 0) {
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		kennel_respond_fd(q, 200, NULL, fd, 0, 0);
		close(fd);
	} else if (strcmp(how, "pipe") == 0 && pipe2(pipes, O_CLOEXEC) == 0) {
		kennel_respond_fd(q, 200, NULL, pipes[0], 0, 0);
		close(pipes[0]);
		close(pipes[1]);
	} else if (strcmp(how, "none") == 0)
		kennel_respond_fd(q, 200, NULL, -1, 0, 0);
	else if (strcmp(how, "shrink") == 0) {
		fd = memfd_create("shrinks", MFD_CLOEXEC);
		if (ftruncate(fd, 64 << 20) == -1)
			return;
		kennel_respond_fd(q, 200, NULL, fd, 0, UINT64_MAX);
		kept = malloc(sizeof(*kept));
		*kept = fd;
		timer = kennel_timer_new(50, 0, shrink, kept);
	} else {
		kennel_header(q, "ETag", "\"m\"");
		kennel_respond(q, 200, "text/plain", "in memory", 9);
	}
}

int
main(int argc, char **argv)
{
	static const struct kennel_app	 app = {
		.name = "files", .receive = receive,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
