#pragma once

#include <boost/asio/awaitable.hpp>

#include "portal/pages/visit.h"

// All pages, by the file that they are in. Each answers one route of routes.cc.
namespace postern::portal {

using PageAnswer = boost::asio::awaitable<http::Response>;

// login_pages.cc
PageAnswer ShowLanding(Visit& visit);
PageAnswer ShowLogin(Visit& visit);
PageAnswer LogIn(Visit& visit);
PageAnswer LogOut(Visit& visit);
PageAnswer ShowPasswordChange(Visit& visit);
PageAnswer ChangeFirstPassword(Visit& visit);

// profile_pages.cc
PageAnswer ShowProfile(Visit& visit);
PageAnswer ChangePassword(Visit& visit);
PageAnswer EndSessions(Visit& visit);
PageAnswer SetTheme(Visit& visit);
PageAnswer SetZone(Visit& visit);
PageAnswer ShowHelp(Visit& visit);

// dashboard_pages.cc
PageAnswer ShowDashboard(Visit& visit);
PageAnswer ShowFigures(Visit& visit);
PageAnswer ShowChart(Visit& visit);
PageAnswer ShowStatistics(Visit& visit);

// message_pages.cc
PageAnswer ShowMessages(Visit& visit);
PageAnswer ShowMessage(Visit& visit);

// user_pages.cc, user_acts.cc
PageAnswer ShowUsers(Visit& visit);
PageAnswer ShowNewUser(Visit& visit);
PageAnswer CreateUser(Visit& visit);
PageAnswer ShowUser(Visit& visit);
PageAnswer ConfirmUserAct(Visit& visit);
PageAnswer ActOnUser(Visit& visit);

// client_pages.cc, client_limits.cc
PageAnswer ShowClients(Visit& visit);
PageAnswer ShowNewClient(Visit& visit);
PageAnswer CreateClient(Visit& visit);
PageAnswer ShowClient(Visit& visit);
PageAnswer ConfirmClientAct(Visit& visit);
PageAnswer ActOnClient(Visit& visit);
PageAnswer ShowClientLimits(Visit& visit);
PageAnswer SetClientLimits(Visit& visit);

// certificate_pages.cc, certificate_acts.cc
PageAnswer ShowCertificates(Visit& visit);
PageAnswer ShowCertificate(Visit& visit);
PageAnswer ShowNewCertificate(Visit& visit);
PageAnswer IssueCertificate(Visit& visit);
PageAnswer ConfirmRevocation(Visit& visit);
PageAnswer RevokeCertificate(Visit& visit);

// queue_pages.cc
PageAnswer ShowQueue(Visit& visit);
PageAnswer ConfirmRedrive(Visit& visit);
PageAnswer Redrive(Visit& visit);

// system_pages.cc
PageAnswer ShowAudit(Visit& visit);
PageAnswer ShowDatabase(Visit& visit);
PageAnswer ConfirmPurge(Visit& visit);
PageAnswer Purge(Visit& visit);
PageAnswer ShowSystem(Visit& visit);

}  // namespace postern::portal
