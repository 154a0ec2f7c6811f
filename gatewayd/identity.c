/* A node's name, when nobody gave one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "common/proc.h"
#include "gatewayd/identity.h"
#include "gatewayd/paths.h"
#include "proto/limits.h"

#define IDENTITY_LETTERS	4

static const char	 identity_good[] = "abcdefghijklmnopqrstuvwxyz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
/* No vowels, so that they spell nothing. */
static const char	 identity_letters[] = "bcdfghjkmnpqrstvwxz";

/* The host's name, in characters that a node's may have. */
static void
identity_host(char name[NODE_MAX + 1])
{
	if (gethostname(name, NODE_MAX + 1) == -1 || name[0] == '\0')
		strcpy(name, "node");
	name[NODE_MAX] = '\0';
	for (char *p = name; *p != '\0'; p++)
		if (strchr(identity_good, *p) == NULL)
			*p = '-';
}

/* The host's name, cut, and letters that no other node of that host has. */
static void
identity_make(char name[NODE_MAX + 1])
{
	uint64_t	 random = bytes_random64();
	size_t		 n, kinds = sizeof(identity_letters) - 1;

	identity_host(name);
	n = strnlen(name, NODE_MAX - IDENTITY_LETTERS - 1);
	name[n++] = '-';
	for (size_t i = 0; i < IDENTITY_LETTERS; i++, random /= kinds)
		name[n++] = identity_letters[random % kinds];
	name[n] = '\0';
}

/* The line in the file, if it is a name and whole: 0 or -1. */
static int
identity_read(int fd, char name[NODE_MAX + 1])
{
	char	 text[NODE_MAX + 2];
	ssize_t	 len = pread(fd, text, sizeof(text) - 1, 0);
	size_t	 n;

	if (len <= 0)
		return (-1);
	text[len] = '\0';
	n = strspn(text, identity_good);
	if (n == 0 || n > NODE_MAX || text[n] != '\n')
		return (-1);
	memcpy(name, text, n);
	name[n] = '\0';
	return (0);
}

/* The name as the file's only line: 0, or -1 with errno. */
static int
identity_write(int fd, const char *name)
{
	char	 text[NODE_MAX + 2];
	int	 n = snprintf(text, sizeof(text), "%s\n", name);

	if (ftruncate(fd, 0) == -1)
		return (-1);
	if (pwrite(fd, text, (size_t)n, 0) != n) {
		errno = ENOSPC;
		return (-1);
	}
	return (fsync(fd));
}

char *
identity_node(const char *state_dir)
{
	char	 name[NODE_MAX + 1];
	char	*path = state_dir == NULL ? NULL : paths_in(state_dir, "node");
	int	 fd = -1;

	/* Never closed: with it goes the lock, which says that the name is ours. */
	if (path != NULL && (fd = proc_lock(path, 1, NULL)) == -1 &&
	    errno == EAGAIN) {
		identity_make(name);
		log_warn("node=%s until this gateway ends: another one has the "
		    "name in %s; give this one its own with --node or "
		    "--state-dir", name, path);
	} else if (fd == -1)
		identity_host(name);
	else if (identity_read(fd, name) == -1) {
		identity_make(name);
		if (identity_write(fd, name) == 0)
			log_info("node=%s, a name that was made for this "
			    "gateway and is kept in %s", name, path);
		else
			log_warn("node=%s cannot be kept in %s: %s", name,
			    path, strerror(errno));
	}
	free(path);
	return (strdup(name));
}
