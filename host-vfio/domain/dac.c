#include "domain/dac.h"

#include <grp.h>
#include <libxml/parser.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "domain/document.h"
#include "domain/manager-impl.h"
#include "domain/tree.h"

static bool read_number(const char *text, unsigned *id) {
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	*id = (unsigned)value;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value < UINT32_MAX;
}

/* As libvirt reads it: +NUMBER, or a name, or a number that is nobody's name. */
static bool read_user(const char *text, uid_t *user) {
	const struct passwd *entry = text[0] == '+' ? NULL : getpwnam(text);
	if (entry != NULL) {
		*user = entry->pw_uid;
		return true;
	}
	return read_number(text + (text[0] == '+'), user);
}

static bool read_group(const char *text, gid_t *group) {
	const struct group *entry = text[0] == '+' ? NULL : getgrnam(text);
	if (entry != NULL) {
		*group = entry->gr_gid;
		return true;
	}
	return read_number(text + (text[0] == '+'), group);
}

/* USER:GROUP; cuts the label. */
static bool read_label(char *label, struct domain_dac *dac) {
	char *colon = strchr(label, ':');
	if (colon == NULL) {
		return false;
	}
	*colon = '\0';
	dac->known = read_user(label, &dac->user) && read_group(colon + 1, &dac->group);
	*colon = ':';
	return dac->known;
}

static xmlNode *find(xmlNode *node, const char *attribute, const char *value) {
	while (node != NULL && !tree_is(node, attribute, value)) {
		node = tree_next(node);
	}
	return node;
}

/* The label of a domain's own, which libvirt adds to those that run; the caller's, or NULL. */
static char *find_label(xmlNode *domain) {
	xmlNode *label = find(tree_child(domain, "seclabel"), "model", "dac");
	return tree_get_text(tree_child(label, "label"));
}

/* A driver stands in the capabilities with the label for each type of domain. */
static char *find_base_label(xmlNode *capabilities, const char *type) {
	xmlNode *driver = tree_child(tree_child(capabilities, "host"), "secmodel");
	for (; driver != NULL; driver = tree_next(driver)) {
		char *model = tree_get_text(tree_child(driver, "model"));
		bool is_dac = model != NULL && strcmp(model, "dac") == 0;
		free(model);
		if (is_dac) {
			return tree_get_text(find(tree_child(driver, "baselabel"), "type", type));
		}
	}
	return NULL;
}

static char *read_base_label(const char *capabilities, const char *type) {
	xmlDoc *document =
		xmlReadMemory(capabilities, (int)strlen(capabilities), "capabilities.xml", NULL,
			XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	char *label = document == NULL || type == NULL
			      ? NULL
			      : find_base_label(xmlDocGetRootElement(document), type);
	xmlFreeDoc(document);
	return label;
}

int domain_dac_read(
	struct domain_dac *dac, const char *xml, const char *capabilities, struct error *error) {
	*dac = (struct domain_dac){0};
	xmlDoc *document = domain_document_parse(xml, error);
	if (document == NULL) {
		return -1;
	}
	xmlNode *domain = xmlDocGetRootElement(document);
	char *label = find_label(domain);
	if (label == NULL && capabilities != NULL) {
		char *type = tree_get(domain, "type");
		label = read_base_label(capabilities, type);
		free(type);
	}
	int result =
		label == NULL || read_label(label, dac)
			? 0
			: error_set(error, "libvirt's label %s is no user of this machine", label);
	free(label);
	xmlFreeDoc(document);
	return result;
}

int domain_manager_get_dac(struct domain_manager *manager, const char *xml, struct domain_dac *dac,
	struct error *error) {
	char *capabilities = virConnectGetCapabilities(manager->connection);
	if (capabilities == NULL) {
		return domain_manager_fail(error);
	}
	int result = domain_dac_read(dac, xml, capabilities, error);
	free(capabilities);
	return result < 0 ? DOMAIN_FAILURE_REFUSED : 0;
}
