/* Secrets in the environment, the arguments and files. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/secret.h"

#define SECRET_URL_MAX	4096	/* bytes of an argument */
#define SECRET_TAKEN	8

static struct {
	char	*name, *value;
} secret_taken[SECRET_TAKEN];
static size_t	 secret_ntaken;

/* Keep what was taken, for secret_return(). */
static void
secret_keep(const char *name, const char *value)
{
	if (secret_ntaken == SECRET_TAKEN)
		return;
	secret_taken[secret_ntaken].name = strdup(name);
	secret_taken[secret_ntaken].value = strdup(value);
	secret_ntaken++;
}

/* The first byte of what is hidden and the '@' behind the last, or NULL. */
static const char *
secret_find(const char *url, const char **at)
{
	const char	*begin = strstr(url, "//");

	if (strncmp(url, "unix:", 5) == 0 ||
	    (*at = strrchr(url, '@')) == NULL)
		return (NULL);
	return (begin != NULL && begin < *at ? begin + 2 : url);
}

char *
secret_take(const char *name)
{
	char	*value = getenv(name), *copy = NULL;

	errno = 0;
	if (value == NULL)
		return (NULL);
	if (*value != '\0') {
		copy = strdup(value);
		secret_keep(name, value);
	}
	explicit_bzero(value, strlen(value));
	unsetenv(name);
	return (copy);
}

void
secret_return(void)
{
	for (size_t i = 0; i < secret_ntaken; i++)
		if (secret_taken[i].name != NULL &&
		    secret_taken[i].value != NULL)
			(void)setenv(secret_taken[i].name,
			    secret_taken[i].value, 1);
}

void
secret_forget(void)
{
	char	*value;

	for (size_t i = 0; i < secret_ntaken; i++) {
		if (secret_taken[i].name == NULL ||
		    (value = getenv(secret_taken[i].name)) == NULL)
			continue;
		explicit_bzero(value, strlen(value));
		unsetenv(secret_taken[i].name);
	}
}

char *
secret_shown(char *dst, size_t size, const char *url)
{
	const char	*at, *begin = secret_find(url, &at);

	if (begin == NULL)
		snprintf(dst, size, "%s", url);
	else
		snprintf(dst, size, "%.*s***%s", (int)(begin - url), url, at);
	return (dst);
}

void
secret_hide(char *url)
{
	const char	*at, *begin = secret_find(url, &at);
	char		 shown[SECRET_URL_MAX];
	size_t		 len = strlen(url), n;

	if (begin == NULL)
		return;
	secret_shown(shown, sizeof(shown), url);
	n = strlen(shown);
	if (n > len || n == sizeof(shown) - 1) {
		/* No room for the stars, or for the whole. */
		memset(url + (begin - url), '*', (size_t)(at - begin));
		return;
	}
	memcpy(url, shown, n);
	explicit_bzero(url + n, len - n);
}

/* The bytes of an open file, at most size: how many, or -1 with *why. */
static ssize_t
secret_bytes(int fd, char *dst, size_t size, const char **why)
{
	struct stat	 st;
	size_t		 len = 0;
	ssize_t		 n;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		*why = "is not a file";
		return (-1);
	}
	while (len < size && (n = read(fd, dst + len, size - len)) != 0) {
		if (n == -1 && errno != EINTR) {
			*why = strerror(errno);
			return (-1);
		}
		len += n > 0 ? (size_t)n : 0;
	}
	return ((ssize_t)len);
}

char *
secret_read(const char *path, const char **why)
{
	char	 text[SECRET_FILE_MAX + 3], *copy = NULL;
	int	 fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t	 n;

	if (fd == -1) {
		*why = strerror(errno);
		return (NULL);
	}
	n = secret_bytes(fd, text, sizeof(text) - 1, why);
	close(fd);
	if (n == -1)
		return (NULL);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && text[n - 1] == '\r')
		n--;
	text[n] = '\0';
	if (n == 0)
		*why = "is empty";
	else if (n > SECRET_FILE_MAX)
		*why = "is longer than 4096 bytes";
	else if (strlen(text) != (size_t)n)
		*why = "has a zero byte";
	else if (strcspn(text, "\n") != (size_t)n)
		*why = "has more than one line";
	else if ((copy = strdup(text)) == NULL)
		*why = "no memory";
	explicit_bzero(text, sizeof(text));
	return (copy);
}
