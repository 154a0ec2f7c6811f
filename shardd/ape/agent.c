/* What a browser says of itself in User-Agent. */
#include <string.h>

#include "shardd/ape/agent.h"

/* The first word that is there says which; most pretend to be another one, too. */
static const struct agent_row {
	const char	*word;		/* its version follows */
	const char	*name;
} browsers[] = {
	{ "Edg/", "Edge" }, { "EdgA/", "Edge" }, { "EdgiOS/", "Edge" },
	{ "OPR/", "Opera" }, { "Vivaldi/", "Vivaldi" },
	{ "SamsungBrowser/", "Samsung Internet" },
	{ "YaBrowser/", "Yandex" }, { "FxiOS/", "Firefox" },
	{ "Firefox/", "Firefox" }, { "CriOS/", "Chrome" },
	{ "HeadlessChrome/", "Chrome Headless" }, { "Chrome/", "Chrome" },
	{ "Chromium/", "Chromium" }, { "Version/", "Safari" },
	{ "MSIE ", "IE" }, { "curl/", "curl" }, { "node/", "node" },
	{ "python-requests/", "python-requests" }
}, systems[] = {
	{ "Windows NT ", "Windows" }, { "iPhone OS ", "iOS" },
	{ "CPU OS ", "iOS" }, { "Mac OS X ", "macOS" },
	{ "Android ", "Android" }, { "CrOS x86_64 ", "Chrome OS" },
	{ "CrOS ", "Chrome OS" }, { "Ubuntu", "Ubuntu" },
	{ "Linux", "Linux" }, { "FreeBSD", "FreeBSD" }
}, windows[] = {
	{ "10.0", "10" }, { "6.3", "8.1" }, { "6.2", "8" }, { "6.1", "7" },
	{ "6.0", "Vista" }, { "5.1", "XP" }
}, engines[] = {
	{ "Chrome/", "Blink" }, { "AppleWebKit/", "WebKit" },
	{ "Gecko/", "Gecko" }, { "Trident/", "Trident" }
}, devices[] = {
	{ "iPad", "tablet" }, { "iPhone", "mobile" }, { "iPod", "mobile" },
	{ "Tablet", "tablet" }, { "Mobile", "mobile" },
	{ "SmartTV", "smarttv" }, { "Android", "tablet" }
};

/* The row of n whose word is in text; *behind is what follows there. */
static const struct agent_row *
agent_row(const struct agent_row *rows, size_t n, const char *text,
    const char **behind)
{
	const char	*at;

	for (size_t i = 0; i < n; i++)
		if ((at = strstr(text, rows[i].word)) != NULL) {
			*behind = at + strlen(rows[i].word);
			return (&rows[i]);
		}
	return (NULL);
}

/* Digits and what stands between them. */
static struct slice
agent_version(const char *s)
{
	return (slice_of(s, strspn(s, "0123456789._")));
}

/* Who has made it, and which it is. */
static void
agent_device(struct agent *a, const char *text)
{
	static const char *const	 apple[] = { "iPad", "iPhone", "iPod",
					    "Macintosh" };
	const struct agent_row		*row;
	const char			*behind, *end;

	if ((row = agent_row(devices, nitems(devices), text, &behind)) != NULL)
		a->device_type = slice_str(row->name);
	for (size_t i = 0; i < nitems(apple); i++)
		if (strstr(text, apple[i]) != NULL) {
			a->vendor = slice_str("Apple");
			a->model = slice_str(apple[i]);
			return;
		}
	/* (Linux; Android 13; Pixel 7 Build/...) */
	if ((behind = strstr(text, "Android ")) == NULL ||
	    (behind = strstr(behind, "; ")) == NULL)
		return;
	behind += 2;
	end = behind + strcspn(behind, ";)");
	if (memmem(behind, (size_t)(end - behind), " Build/", 7) != NULL)
		end = strstr(behind, " Build/");
	a->model = slice_of(behind, (size_t)(end - behind));
	if (strncmp(behind, "SM-", 3) == 0)
		a->vendor = slice_str("Samsung");
	else if (strncmp(behind, "Pixel", 5) == 0)
		a->vendor = slice_str("Google");
}

void
agent_parse(struct agent *a, const char *text)
{
	const struct agent_row	*row;
	const char		*behind;

	memset(a, 0, sizeof(*a));
	if (text == NULL)
		return;
	if ((row = agent_row(browsers, nitems(browsers), text, &behind)) !=
	    NULL) {
		a->browser = slice_str(row->name);
		a->browser_version = agent_version(behind);
	}
	if ((row = agent_row(engines, nitems(engines), text, &behind)) != NULL)
		a->engine = slice_str(row->name);
	if ((row = agent_row(systems, nitems(systems), text, &behind)) != NULL) {
		a->os = slice_str(row->name);
		a->os_version = agent_version(behind);
		if (row == &systems[0] && (row = agent_row(windows,
		    nitems(windows), behind, &behind)) != NULL)
			a->os_version = slice_str(row->name);
	}
	agent_device(a, text);
}
